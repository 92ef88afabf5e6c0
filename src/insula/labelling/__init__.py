"""Active learning, annotation queues, the ledger."""
