"""What several departments compute together, step by step: masks, envelopes, pseudonyms."""
