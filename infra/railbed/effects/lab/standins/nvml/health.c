/* ECC, row remapping, processes (none) and events (none). SIMULATED. */
#include "mock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending)
{
    RETURN_ERROR_OF(device);
    *current = (nvmlEnableState_t)device_number(device, "ecc", NVML_FEATURE_ENABLED);
    *pending = (nvmlEnableState_t)device_number(device, "ecc_pending", *current);
    return NVML_SUCCESS;
}

/* Key ecc_{corr,unc}_{vol,agg}_{dram,sram}. */
static number_t ecc_errors(nvmlDevice_t device, int uncorrected, int aggregate, const char *memory)
{
    char key[32];

    snprintf(key, sizeof key, "ecc_%s_%s_%s", uncorrected ? "unc" : "corr", aggregate ? "agg" : "vol", memory);
    return device_number(device, key, 0);
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                         nvmlEccCounterType_t counter, number_t *count)
{
    RETURN_ERROR_OF(device);
    *count = ecc_errors(device, type, counter, "dram") + ecc_errors(device, type, counter, "sram");
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, nvmlMemoryErrorType_t type,
                                             nvmlEccCounterType_t counter, nvmlMemoryLocation_t location,
                                             number_t *count)
{
    RETURN_ERROR_OF(device);
    if (location == NVML_MEMORY_LOCATION_DRAM) *count = ecc_errors(device, type, counter, "dram");
    else if (location == NVML_MEMORY_LOCATION_SRAM) *count = ecc_errors(device, type, counter, "sram");
    else return NVML_ERROR_NOT_SUPPORTED;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSramEccErrorStatus(nvmlDevice_t device, nvmlEccSramErrorStatus_t *status)
{
    unsigned int version = status->version;

    RETURN_ERROR_OF(device);
    memset(status, 0, sizeof *status);
    status->version = version;
    status->volatileCor = ecc_errors(device, 0, 0, "sram");
    status->aggregateCor = ecc_errors(device, 0, 1, "sram");
    status->volatileUncSecDed = ecc_errors(device, 1, 0, "sram");
    status->aggregateUncSecDed = ecc_errors(device, 1, 1, "sram");
    status->bThresholdExceeded = (unsigned int)device_number(device, "sram_threshold", 0);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected, unsigned int *uncorrected,
                                       unsigned int *pending, unsigned int *failed)
{
    RETURN_ERROR_OF(device);
    *corrected = (unsigned int)device_number(device, "remap_corr", 0);
    *uncorrected = (unsigned int)device_number(device, "remap_unc", 0);
    *pending = (unsigned int)device_number(device, "remap_pending", 0);
    *failed = (unsigned int)device_number(device, "remap_failed", 0);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device, nvmlRowRemapperHistogramValues_t *banks)
{
    RETURN_ERROR_OF(device);
    memset(banks, 0, sizeof *banks);
    banks->max = (unsigned int)device_number(device, "remap_banks_max", 2560);
    banks->high = (unsigned int)device_number(device, "remap_banks_high", 0);
    banks->partial = (unsigned int)device_number(device, "remap_banks_partial", 0);
    banks->low = (unsigned int)device_number(device, "remap_banks_low", 0);
    banks->none = (unsigned int)device_number(device, "remap_banks_none", 0);
    return NVML_SUCCESS;
}

#define NO_PROCESSES(function)                                                                      \
    nvmlReturn_t function(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *processes)   \
    {                                                                                               \
        RETURN_ERROR_OF(device);                                                                    \
        (void)processes;                                                                            \
        *count = 0;                                                                                 \
        return NVML_SUCCESS;                                                                        \
    }
NO_PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3)
NO_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3)
NO_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3)

/* nvidia-smi makes a set of events even for its default table, and stops where that fails. */
nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set)
{
    static long nothing;

    *(void **)set = &nothing;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set)
{
    (void)set;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, number_t *types)
{
    RETURN_ERROR_OF(device);
    *types = 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, number_t types, nvmlEventSet_t set)
{
    RETURN_ERROR_OF(device);
    (void)types;
    (void)set;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *event, unsigned int milliseconds)
{
    const struct timespec pause = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000L};

    (void)set;
    (void)event;
    nanosleep(&pause, NULL);
    return NVML_ERROR_TIMEOUT;
}
