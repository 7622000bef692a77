// SPDX-License-Identifier: GPL-3.0-or-later
#include "restore/source_nbd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "base/text.h"
#include "restore/nbd_pool.h"

static const struct nbd_pool_options patience = {
	.endpoint = {.silence_ms = 30000},
	.connect_ms = 30000,
	.pause_ms = 500,
	.retry_ms = 16000,
};

struct nbd {
	const char *uri; /* the source's */
	struct nbd_pool *pool;
	char *export_name;
	char *trust; /* directory with the certificates to trust; NULL without TLS */
};

bool source_nbd_is_name(const char *name)
{
	return strstr(name, "://") && (has_prefix(name, "nbd:") || has_prefix(name, "nbds:") ||
				       has_prefix(name, "nbd+") || has_prefix(name, "nbds+"));
}

/* The content of an export is not looked at: the server's business is to give out a disk. */
static bool nbd_probe(const uint8_t *head, size_t length)
{
	(void)head;
	(void)length;
	return false;
}

static int begin_connection(void *context, struct nbd_handle *handle, struct error *err)
{
	struct nbd *nbd = context;

	if (nbd_set_uri_allow_transports(handle, LIBNBD_ALLOW_TRANSPORT_TCP |
							 LIBNBD_ALLOW_TRANSPORT_UNIX) < 0 ||
	    nbd_set_uri_allow_local_file(handle, false) < 0 ||
	    (nbd->trust && nbd_set_tls_certificates(handle, nbd->trust) < 0) ||
	    nbd_aio_connect_uri(handle, nbd->uri) < 0)
		return nbd_complain(err);
	if (!nbd->export_name)
		nbd->export_name = nbd_get_export_name(handle);
	return 0;
}

static const char *system_certificates(void)
{
	static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
					     "/etc/pki/tls/certs/ca-bundle.crt"};

	for (size_t i = 0; i < array_length(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

static int make_trust(struct nbd *nbd, const char *ca_file, struct error *err)
{
	char directory[] = "/tmp/v2p-trust-XXXXXX";
	_cleanup_free_ char *target = realpath(ca_file, NULL), *link = NULL;

	if (!target || access(target, R_OK) < 0)
		return error_sys(err, errno, "open the certificates in %s", ca_file);
	if (!mkdtemp(directory))
		return error_sys(err, errno, "make a directory in /tmp");
	nbd->trust = string_copy(directory);
	link = string_format("%s/ca-cert.pem", directory);
	if (symlink(target, link) < 0)
		return error_sys(err, errno, "make %s", link);
	return 0;
}

/*
 * libnbd wants a directory in which the file is called ca-cert.pem. Without one, versions before
 * 1.20.2 encrypt but take every certificate (CVE-2024-7383), so they get one always; and they check
 * no certificate where the URI has no server's name.
 */
static int trust(struct nbd *nbd, const char *ca_file, struct error *err)
{
	if (has_prefix(nbd->uri, "nbds+unix:"))
		return error_set(err, "the certificate of a server that has no name cannot be "
				      "checked: use nbds:// or nbd+unix://");
	if (!has_prefix(nbd->uri, "nbds:"))
		return 0;
	if (!ca_file)
		ca_file = system_certificates();
	if (!ca_file)
		return error_set(err, "the server's certificate cannot be checked: this machine "
				      "has no certificates; apt install ca-certificates");
	return make_trust(nbd, ca_file, err);
}

static int nbd_open(struct source *source, const struct source_options *options, struct error *err)
{
	struct nbd_pool_options how = patience;
	struct nbd *nbd = calloc(1, sizeof(*nbd));

	if (!nbd)
		return error_sys(err, ENOMEM, "open");
	source->state = nbd;
	nbd->uri = source->name;
	if (trust(nbd, options->file.ca_file, err) < 0)
		return -1;
	how.endpoint.connect = begin_connection;
	how.endpoint.context = nbd;
	if (nbd_pool_open(&how, &nbd->pool, err) < 0)
		return -1;
	source->size = nbd_pool_size(nbd->pool);
	source->granule = nbd_pool_granule(nbd->pool);
	return 0;
}

static void nbd_close_source(struct source *source)
{
	struct nbd *nbd = source->state;
	_cleanup_free_ char *link = NULL;

	if (!nbd)
		return;
	nbd_pool_close(nbd->pool);
	if (nbd->trust) {
		link = string_format("%s/ca-cert.pem", nbd->trust);
		unlink(link);
		rmdir(nbd->trust);
	}
	free(nbd->trust);
	free(nbd->export_name);
	free(nbd);
}

static int nbd_extent_of(struct source *source, uint64_t offset, uint64_t length,
			 struct extent *out, struct error *err)
{
	const struct nbd *nbd = source->state;

	return nbd_pool_extent(nbd->pool, offset, length, out, err);
}

static int nbd_read(struct source *source, void *data, size_t length, uint64_t offset,
		    struct error *err)
{
	const struct nbd *nbd = source->state;

	return nbd_pool_read(nbd->pool, data, length, offset, err);
}

static void nbd_describe(const struct source *source, json_object *out)
{
	const struct nbd *nbd = source->state;

	json_object_object_add(out, "export", json_object_new_string(nbd->export_name));
	json_object_object_add(out, "connections",
			       json_object_new_uint64(nbd_pool_connections(nbd->pool)));
}

const struct source_ops source_nbd_ops = {
	.name = "nbd",
	.probe = nbd_probe,
	.open = nbd_open,
	.close = nbd_close_source,
	.extent = nbd_extent_of,
	.read = nbd_read,
	.describe = nbd_describe,
};
