/* What the parts of the mock share. SIMULATED: a stand-in for libnvidia-ml.so.1 on hosts without a GPU.
 *
 * It answers from a state file (NVML_STATE, else /var/lib/railbed-sim/gpu.ini), read again whenever it changes, and
 * runs under Debian's unmodified nvidia-smi 535 and PyPI's nvidia-ml-py. It is compiled against nvml.h of PyPI's
 * nvidia-nvml-dev; only system.c knows which driver version it belongs to. docs/reference/lab.md has the keys.
 */
#ifndef RAILBED_MOCK_H
#define RAILBED_MOCK_H

#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include "nvml.h"

#define MAX_DEVICES 64
typedef unsigned long long number_t;

/* Value of a key of [system]; `otherwise` where the file does not have it. */
const char *system_text(const char *key, const char *otherwise);
number_t system_number(const char *key, number_t otherwise);

/* Value of a key of [gpuN], else of [default], else `otherwise`. */
const char *device_text(nvmlDevice_t device, const char *key, const char *otherwise);
number_t device_number(nvmlDevice_t device, const char *key, number_t otherwise);

int device_count(void);
int device_index(nvmlDevice_t device);
nvmlDevice_t device_at(int index);
const char *device_bus_id(nvmlDevice_t device);

/* Version of the driver that this library belongs to. */
const char *driver_version(void);

/* The first line of a file of the host, in `line` of LINE_SIZE bytes; false where there is none. RAILBED_SIM_ROOT
 * puts another folder in front, for tests. */
#define LINE_SIZE 256
int first_line(const char *path, char *line);

/* What every call about a GPU asks first: waits while the GPU hangs; then the error that the state file has for this
 * function ("err.<function>") or for the whole GPU ("err", 15 = GPU is lost), or NVML_SUCCESS. */
nvmlReturn_t device_error(nvmlDevice_t device, const char *function);

/* Copies text into a caller's buffer of `size` bytes. */
nvmlReturn_t put_text(char *buffer, unsigned int size, const char *text);

/* True where NVML_TRACE is set: what is not answered is then told on stderr. */
int traced(void);

#define RETURN_ERROR_OF(device)                                  \
    do {                                                         \
        nvmlReturn_t error_ = device_error(device, __func__);    \
        if (error_ != NVML_SUCCESS) return error_;               \
    } while (0)

/* A call that answers with one number, or one text, of the state file. */
#define ANSWER_NUMBER(function, type, key, otherwise)            \
    nvmlReturn_t function(nvmlDevice_t device, type *value)      \
    {                                                            \
        RETURN_ERROR_OF(device);                                 \
        *value = (type)device_number(device, key, otherwise);    \
        return NVML_SUCCESS;                                     \
    }
#define ANSWER_TEXT(function, key, otherwise)                                        \
    nvmlReturn_t function(nvmlDevice_t device, char *buffer, unsigned int size)      \
    {                                                                                \
        RETURN_ERROR_OF(device);                                                     \
        return put_text(buffer, size, device_text(device, key, otherwise));          \
    }

#endif
