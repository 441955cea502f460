"""How a command speaks: progress, results, failures, sentences and names."""
