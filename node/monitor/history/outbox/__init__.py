"""The outbox in the history's database: the deliveries that people still have to be told."""
