"""The SDK, and what both servers have at their edges."""
