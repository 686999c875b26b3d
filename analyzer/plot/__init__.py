"""What was found -> pictures: of one connection, of its time, of counters beside packets; for pages, notebooks and files."""
