"""What is known of incidents: their records, and which are open, ended, listed, or listed without their event."""
