"""The generated contract, `landbridge.v1`; made from proto/ by proto/generate.py."""
