"""How a client gets in at a broker: TLS and login by files that may change at any time; and why it doesn't, in words.

credentials.py reads the files, tls.py is TLS with a deadline, x509.py reads until when a certificate is good, and
connect_errors.py says what is wrong, as a fault. The node's links and the monitor's use the same.
"""
