"""Quantiles: from the tree of counts to the answer."""
