"""Media: moves finished videos into storage, checks them, and looks after what is stored."""
