"""The same question on every engine, and what each is kept from."""
