"""Handlers: what they may declare, what they may say, how often, and what their code may do."""
