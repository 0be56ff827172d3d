"""Consultations: from a question that policy does not answer to an answer, or to none."""
