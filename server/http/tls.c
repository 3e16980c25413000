// A handshake gets copies, which GnuTLS frees with it, so a replaced pair can be freed at once.
#include "server/http/tls.h"

#include "core/file.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_FILE = 1 << 20 };

struct pair {
	gnutls_x509_crt_t *certs; // n_certs
	unsigned n_certs;
	gnutls_x509_privkey_t key;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pair current; // lock

static void pair_free(struct pair *pair)
{
	for (unsigned i = 0; i < pair->n_certs; i++)
		gnutls_x509_crt_deinit(pair->certs[i]);
	gnutls_free(pair->certs);
	if (pair->key)
		gnutls_x509_privkey_deinit(pair->key);
	*pair = (struct pair){ 0 };
}

static int check(const struct pair *pair, const char *cert_file, const char *key_file, struct err *e)
{
	gnutls_certificate_credentials_t credentials;
	if (gnutls_certificate_allocate_credentials(&credentials))
		return err_set(e, "no memory for %s", cert_file);
	int code = gnutls_certificate_set_x509_key(credentials, pair->certs, (int)pair->n_certs, pair->key);
	gnutls_certificate_free_credentials(credentials);
	if (code < 0)
		return err_set(e, "%s and %s do not belong together: %s", cert_file, key_file, gnutls_strerror(code));
	return 0;
}

static int read_pem(const char *file, gnutls_datum_t *pem, struct err *e)
{
	size_t n;
	if (file_read(file, MAX_FILE, &pem->data, &n, e))
		return -1;
	pem->size = (unsigned)n;
	return 0;
}

static int read_certs(const char *file, struct pair *pair, struct err *e)
{
	gnutls_datum_t pem;
	if (read_pem(file, &pem, e))
		return -1;
	int code = gnutls_x509_crt_list_import2(&pair->certs, &pair->n_certs, &pem, GNUTLS_X509_FMT_PEM,
						GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	free(pem.data);
	return code < 0 ? err_set(e, "%s: no PEM certificate: %s", file, gnutls_strerror(code)) : 0;
}

static int read_key(const char *file, struct pair *pair, struct err *e)
{
	gnutls_datum_t pem;
	if (read_pem(file, &pem, e))
		return -1;
	int code = gnutls_x509_privkey_init(&pair->key);
	if (code >= 0)
		code = gnutls_x509_privkey_import2(pair->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(pem.data, 0, pem.size);
	free(pem.data);
	return code < 0 ? err_set(e, "%s: no PEM private key without a password: %s", file, gnutls_strerror(code)) : 0;
}

int tls_load(const char *cert_file, const char *key_file, struct err *e)
{
	struct pair pair = { 0 };
	if (read_certs(cert_file, &pair, e) || read_key(key_file, &pair, e) || check(&pair, cert_file, key_file, e)) {
		pair_free(&pair);
		return -1;
	}
	pthread_mutex_lock(&lock);
	struct pair old = current;
	current = pair;
	pthread_mutex_unlock(&lock);
	pair_free(&old);
	return 0;
}

void tls_unload(void)
{
	pair_free(&current);
}

static int copy(const struct pair *pair, gnutls_pcert_st *certs, gnutls_privkey_t *key)
{
	unsigned n = 0;
	int code = gnutls_privkey_init(key);
	if (code < 0)
		return code;
	code = gnutls_privkey_import_x509(*key, pair->key, GNUTLS_PRIVKEY_IMPORT_COPY);
	while (code >= 0 && n < pair->n_certs) {
		code = gnutls_pcert_import_x509(&certs[n], pair->certs[n], 0);
		n += code >= 0;
	}
	if (code < 0) {
		while (n > 0)
			gnutls_pcert_deinit(&certs[--n]);
		gnutls_privkey_deinit(*key);
	}
	return code;
}

int tls_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *n_certs,
		    gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp, gnutls_privkey_t *key, unsigned *flags)
{
	(void)session, (void)info;
	pthread_mutex_lock(&lock);
	gnutls_pcert_st *all = gnutls_calloc(current.n_certs, sizeof *all);
	int code = all ? copy(&current, all, key) : GNUTLS_E_MEMORY_ERROR;
	unsigned n = current.n_certs;
	pthread_mutex_unlock(&lock);
	if (code < 0) {
		gnutls_free(all);
		return -1;
	}
	*certs = all;
	*n_certs = n;
	*ocsp = NULL;
	*n_ocsp = 0;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return 0;
}
