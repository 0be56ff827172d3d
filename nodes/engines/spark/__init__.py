"""Apache Spark as a node's engine: a cluster that the department runs already."""
