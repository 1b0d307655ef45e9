"""HTTP in: one file per part of the contract. Each makes a router of the use cases it is given."""
