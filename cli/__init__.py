"""The console commands: each file parses, calls one library function and prints."""
