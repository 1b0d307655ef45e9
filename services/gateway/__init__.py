"""The gateway: what people and workflow engines talk to. It accepts, shows and lets nobody else in."""
