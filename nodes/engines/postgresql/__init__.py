"""PostgreSQL as a node's engine: a server that the department runs already."""
