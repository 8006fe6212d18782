"""What bench/run is made of: servers, loads, the table of what was measured, and its picture."""
