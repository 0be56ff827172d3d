"""The engines that run a node's own SQL; one file imports each."""
