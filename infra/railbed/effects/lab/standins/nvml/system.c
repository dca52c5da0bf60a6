/* Start, versions, errors, and the undocumented table that nvidia-smi asks for. SIMULATED. */
#include "mock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNNING_KERNEL "/run/railbed-sim/kernel"
#define INSTALLED_KERNEL "/usr/lib/railbed-sim/kernel"
#define LOADED_DRIVER "/run/railbed-sim/driver"
#define BUILT_FOR "/usr/lib/railbed-sim/driver-kernels"

#ifndef DRIVER
#error "say which driver version this library belongs to: -DDRIVER=\"570.124.06\""
#endif
#ifndef CUDA
#error "say which CUDA level it reports: -DCUDA=12080, or 0 where nobody published it"
#endif

int first_line(const char *path, char *line)
{
    const char *root = getenv("RAILBED_SIM_ROOT");
    char full[512];
    FILE *file;
    int found;

    snprintf(full, sizeof full, "%s%s", root ? root : "", path);
    if (!(file = fopen(full, "r"))) return 0;
    found = fgets(line, LINE_SIZE, file) != NULL;
    fclose(file);
    if (found) line[strcspn(line, "\n")] = 0;
    return found;
}

/* True where one of the words in `list` is `word`. */
static int names(const char *list, const char *word)
{
    char words[LINE_SIZE], *rest = NULL;

    snprintf(words, sizeof words, "%s", list);
    for (char *one = strtok_r(words, " ", &rest); one; one = strtok_r(NULL, " ", &rest))
        if (!strcmp(one, word)) return 1;
    return 0;
}

/* A module that was built for another kernel than the running one is not loaded; a library beside a module of
 * another version does not talk to it. Both kernels and the loaded module are marks that the stand-in packages
 * leave; without them there is nothing to differ. */
static nvmlReturn_t module_error(void)
{
    char running[LINE_SIZE], built[LINE_SIZE], loaded[LINE_SIZE];

    if (first_line(LOADED_DRIVER, loaded))
        return strcmp(loaded, DRIVER) ? NVML_ERROR_LIB_RM_VERSION_MISMATCH : NVML_SUCCESS;
    if (!first_line(RUNNING_KERNEL, running) && !first_line(INSTALLED_KERNEL, running)) return NVML_SUCCESS;
    if (!first_line(BUILT_FOR, built) || !*built) return NVML_SUCCESS;
    return names(built, running) ? NVML_SUCCESS : NVML_ERROR_DRIVER_NOT_LOADED;
}

nvmlReturn_t nvmlInit_v2(void)
{
    nvmlReturn_t told = (nvmlReturn_t)system_number("init_err", NVML_SUCCESS);

    return told != NVML_SUCCESS ? told : module_error();
}

nvmlReturn_t nvmlInit(void)
{
    return nvmlInit_v2();
}

nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    return nvmlInit_v2();
}

nvmlReturn_t nvmlShutdown(void)
{
    return NVML_SUCCESS;
}

const char *nvmlErrorString(nvmlReturn_t error)
{
    switch (error) {
    case NVML_SUCCESS: return "Success";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_ERROR_TIMEOUT: return "Timeout";
    case NVML_ERROR_LIBRARY_NOT_FOUND: return "NVML Shared Library Not Found";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_RESET_REQUIRED: return "GPU requires restart";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}

const char *driver_version(void)
{
    return system_text("driver", DRIVER);
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *buffer, unsigned int size)
{
    return put_text(buffer, size, driver_version());
}

nvmlReturn_t nvmlSystemGetNVMLVersion(char *buffer, unsigned int size)
{
    return put_text(buffer, size, system_text("nvml", "12." DRIVER));
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    *version = (int)system_number("cuda", CUDA);
    return *version ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
    return nvmlSystemGetCudaDriverVersion_v2(version);
}

nvmlReturn_t nvmlUnitGetCount(unsigned int *count)
{
    *count = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlGetExcludedDeviceCount(unsigned int *count)
{
    *count = 0;
    return NVML_SUCCESS;
}

/* nvidia-smi 535 stops with "Mismatch in versions between nvidia-smi and NVML" unless it gets a table whose first
 * word is its size in bytes and whose other words are functions. "Not supported" from each of them is enough. */
#define TABLE_WORDS 245

static int not_supported(void)
{
    return NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t nvmlInternalGetExportTable(const void **table, const unsigned char *id)
{
    static const void *words[TABLE_WORDS];

    (void)id;
    words[0] = (const void *)sizeof words;
    for (int i = 1; i < TABLE_WORDS; i++) words[i] = (const void *)not_supported;
    *table = words;
    return NVML_SUCCESS;
}
