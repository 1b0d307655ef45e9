"""The use cases: what people and workflow engines may do, on plain arguments."""
