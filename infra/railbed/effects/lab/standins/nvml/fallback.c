/* Every function of nvml.h that no other part answers: "not supported". SIMULATED.
 *
 * names.inc is made from nvml.h when the mock is built: one NOT_ANSWERED(name) per function of it. nvidia-smi looks up
 * all of them; the weak definitions here give way to the real answers.
 */
#include <stdio.h>
#include <stdlib.h>

#define NOT_ANSWERED(name)                                                                    \
    __attribute__((weak)) int name(void)                                                      \
    {                                                                                         \
        if (getenv("NVML_TRACE")) fprintf(stderr, "mock NVML: not supported: %s\n", #name);   \
        return 3; /* NVML_ERROR_NOT_SUPPORTED */                                              \
    }
#include "names.inc"
