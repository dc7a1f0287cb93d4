"""The deliveries in the history's database: what people still have to be told."""
