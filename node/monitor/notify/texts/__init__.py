"""The texts that people are told: calls for help with class, place and what to do; findings with their next step."""
