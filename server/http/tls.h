// tls: the daemon's certificate and its private key, of which libmicrohttpd asks anew for each connection. GnuTLS hands nothing of
// ours to that question, so there is one pair a process.
#pragma once

#include "core/err.h"

#include <gnutls/abstract.h>

// PEM files: the certificate, behind it those that vouch for it, and its key. May be called again; -1: the old pair stays. Any
// thread.
int tls_load(const char *cert_file, const char *key_file, struct err *e);
void tls_unload(void); // nobody may ask any more

// The question: a gnutls_certificate_retrieve_function3.
int tls_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *n_certs,
		    gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags);
