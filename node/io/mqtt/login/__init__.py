"""How a client logs in at a broker, with TLS and login files that may change at any time; and why it fails, in words.

credentials.py and tls_files.py read the files, tls.py is TLS with a deadline, x509.py reads when a certificate expires,
and connect_errors.py says what is wrong, as a fault. The node's and the monitor's links use the same code.
"""
