"""Random command lines and files, nearly right: each of them has to end well."""
