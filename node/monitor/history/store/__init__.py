"""How decisions are stored, and what a start reads of them."""
