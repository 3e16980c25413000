// The build uses cuDNN's header and does not link the library, so one binary starts with and without it. cudnn_open loads it.
#include "kernels/cudnn/cudnn.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libcudnn.so.9"

static int look_up(void *library, const char *name, void *function, struct err *e)
{
	void *symbol = dlsym(library, name);
	if (!symbol)
		return err_set(e, LIBRARY " has no function %s: install a complete cuDNN 9", name);
	memcpy(function, &symbol, sizeof symbol); // ISO C has no conversion from void * to a function's pointer
	return 0;
}

static int look_up_all(struct cudnn *c, struct err *e)
{
	const struct {
		const char *name;
		void *function;
	} functions[] = {
		{ "cudnnGetVersion", &c->get_version },
		{ "cudnnGetErrorString", &c->get_error_string },
		{ "cudnnGetLastErrorString", &c->get_last_error_string },
		{ "cudnnCreate", &c->create },
		{ "cudnnDestroy", &c->destroy },
		{ "cudnnSetStream", &c->set_stream },
		{ "cudnnBackendCreateDescriptor", &c->descriptor_create },
		{ "cudnnBackendDestroyDescriptor", &c->descriptor_destroy },
		{ "cudnnBackendFinalize", &c->descriptor_finalize },
		{ "cudnnBackendSetAttribute", &c->attribute_set },
		{ "cudnnBackendGetAttribute", &c->attribute_get },
		{ "cudnnBackendExecute", &c->execute },
	};
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		if (look_up(c->library, functions[i].name, functions[i].function, e))
			return -1;
	return 0;
}

int cudnn_open(bool tf32, struct cudnn **cudnn, struct err *e)
{
	struct cudnn *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, "no memory for cuDNN");
	c->tf32 = tf32;
	// once in, it stays: what it left behind in the driver and for the end of the process must not lose its code
	c->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!c->library) {
		err_set(e, "no cuDNN: %s. Install cuDNN 9, or add the folder of " LIBRARY " to LD_LIBRARY_PATH", dlerror());
		goto failed;
	}
	if (look_up_all(c, e))
		goto failed;
	size_t version = c->get_version(); // major·10000 + minor·100 + patch
	snprintf(c->version, sizeof c->version, "%zu.%zu.%zu", version / 10000 % 100, version / 100 % 100, version % 100);
	if (version / 10000 != CUDNN_MAJOR) {
		err_set(e, LIBRARY " is cuDNN %s; this build needs cuDNN %d", c->version, CUDNN_MAJOR);
		goto failed;
	}
	*cudnn = c;
	return 0;
failed:
	cudnn_close(c);
	return -1;
}

void cudnn_close(struct cudnn *cudnn)
{
	if (cudnn && cudnn->library)
		dlclose(cudnn->library);
	free(cudnn);
}

int cudnn_check(const struct cudnn *cudnn, cudnnStatus_t status, const char *call, struct err *e)
{
	if (status == CUDNN_STATUS_SUCCESS)
		return 0;
	char detail[256] = "";
	cudnn->get_last_error_string(detail, sizeof detail);
	return err_set(e, "cuDNN %s: %s: %s%s%s", cudnn->version, call, cudnn->get_error_string(status), *detail ? ": " : "",
		       detail);
}

int cudnn_session_open(const struct cudnn *cudnn, cudaStream_t stream, struct cudnn_session *session, struct err *e)
{
	struct cudnn_session s = { .cudnn = cudnn };
	if (cudnn_check(cudnn, cudnn->create(&s.handle), "cudnnCreate", e))
		return -1;
	if (cudnn_check(cudnn, cudnn->set_stream(s.handle, stream), "cudnnSetStream", e)) {
		cudnn_session_close(&s);
		return -1;
	}
	*session = s;
	return 0;
}

int cudnn_session_open_for(const struct cudnn *cudnn, const char *description, struct cudnn_session *session, struct err *e)
{
	struct cudnn_session s = { .cudnn = cudnn };
	cudnnStatus_t status = cudnn->descriptor_create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &s.device);
	if (!status)
		status = cudnn->attribute_set(s.device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
					      (int64_t)strlen(description), description);
	if (!status)
		status = cudnn->descriptor_finalize(s.device);
	if (cudnn_check(cudnn, status, "a device's description", e)) {
		cudnn_session_close(&s);
		return -1;
	}
	*session = s;
	return 0;
}

void cudnn_session_close(struct cudnn_session *session)
{
	if (session->handle)
		session->cudnn->destroy(session->handle);
	if (session->device)
		session->cudnn->descriptor_destroy(session->device);
	*session = (struct cudnn_session){ NULL };
}
