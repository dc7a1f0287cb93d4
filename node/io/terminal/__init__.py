"""What both programs' commands print, and how they end."""
