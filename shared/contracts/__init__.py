"""What crosses a border: topics, events and the words both sides use. No behaviour."""
