"""The empirical privacy audit: what an attacker who knows everything but one person can find out.

Short forms run in the check; `python -m tests.torture` (`make torture`) runs the long ones and
prints one table. See docs/audit.md.
"""
