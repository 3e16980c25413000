// tls: the daemon's certificate and private key, which GnuTLS asks for at each handshake. Its callback has no argument of ours, so
// there is one pair a process.
#pragma once

#include "core/err.h"

#include <gnutls/abstract.h>

// Reads PEM files: the certificate followed by its chain, and its key. May be called again; -1: the old pair stays. Any thread.
int tls_load(const char *cert_file, const char *key_file, struct err *e);
void tls_unload(void); // after the last handshake

// A gnutls_certificate_retrieve_function3.
int tls_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *n_certs,
		    gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags);
