"""One module per output format; the suffix of the file name picks the writer."""
