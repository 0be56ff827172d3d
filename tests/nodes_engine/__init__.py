"""Tests of the engine, the store and the loader."""
