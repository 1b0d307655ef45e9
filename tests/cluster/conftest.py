"""More than one of a thing, on Apache Kafka. `make test-cluster` runs these; no other target collects them."""

import os

if "kafka" not in os.environ.get("REAL_ENGINES", "").split():
    collect_ignore_glob = ["test_*.py"]
