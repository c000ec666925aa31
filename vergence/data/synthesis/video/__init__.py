"""Videos of simulated worlds: a log of events is kept while frames are drawn, and every label comes from it."""
