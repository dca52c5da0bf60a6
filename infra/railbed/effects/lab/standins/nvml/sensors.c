/* Memory, clocks and why they are low, power, temperature, modes. SIMULATED. */
#include "mock.h"

#include <stdio.h>
#include <string.h>

#define MIB(value) ((value) << 20)

static number_t total(nvmlDevice_t device)
{
    return MIB(device_number(device, "mem_total_mib", 81559));
}

static number_t reserved(nvmlDevice_t device)
{
    return MIB(device_number(device, "mem_reserved_mib", 551));
}

static number_t used(nvmlDevice_t device)
{
    return MIB(device_number(device, "mem_used_mib", 0));
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    RETURN_ERROR_OF(device);
    memory->total = total(device);
    memory->used = used(device) + reserved(device);
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    RETURN_ERROR_OF(device);
    memory->total = total(device);
    memory->reserved = reserved(device);
    memory->used = used(device);
    memory->free = memory->total - memory->used - memory->reserved;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *memory)
{
    RETURN_ERROR_OF(device);
    memory->bar1Total = MIB(device_number(device, "bar1_total_mib", 131072));
    memory->bar1Used = MIB(1ULL);
    memory->bar1Free = memory->bar1Total - memory->bar1Used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates)
{
    RETURN_ERROR_OF(device);
    rates->gpu = (unsigned int)device_number(device, "util_gpu", 0);
    rates->memory = (unsigned int)device_number(device, "util_mem", 0);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *celsius)
{
    RETURN_ERROR_OF(device);
    if (sensor != NVML_TEMPERATURE_GPU) return NVML_ERROR_NOT_SUPPORTED;
    *celsius = (unsigned int)device_number(device, "temp", 32);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature)
{
    RETURN_ERROR_OF(device);
    temperature->temperature = (int)device_number(device, "temp", 32);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t which,
                                               unsigned int *celsius)
{
    RETURN_ERROR_OF(device);
    switch (which) {
    case NVML_TEMPERATURE_THRESHOLD_SHUTDOWN: *celsius = (unsigned int)device_number(device, "temp_shutdown", 92); break;
    case NVML_TEMPERATURE_THRESHOLD_SLOWDOWN: *celsius = (unsigned int)device_number(device, "temp_slowdown", 89); break;
    case NVML_TEMPERATURE_THRESHOLD_MEM_MAX: *celsius = (unsigned int)device_number(device, "temp_mem_max", 95); break;
    case NVML_TEMPERATURE_THRESHOLD_GPU_MAX: *celsius = (unsigned int)device_number(device, "temp_max", 87); break;
    default: return NVML_ERROR_NOT_SUPPORTED;
    }
    return NVML_SUCCESS;
}

ANSWER_NUMBER(nvmlDeviceGetPowerUsage, unsigned int, "power_mw", 69000)
ANSWER_NUMBER(nvmlDeviceGetPowerManagementLimit, unsigned int, "power_limit_mw", 700000)
ANSWER_NUMBER(nvmlDeviceGetEnforcedPowerLimit, unsigned int, "power_limit_mw", 700000)
ANSWER_NUMBER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned int, "power_default_mw", 700000)
ANSWER_NUMBER(nvmlDeviceGetPowerManagementMode, nvmlEnableState_t, "power_management", NVML_FEATURE_ENABLED)
ANSWER_NUMBER(nvmlDeviceGetTotalEnergyConsumption, number_t, "energy_mj", 1000)
ANSWER_NUMBER(nvmlDeviceGetPerformanceState, nvmlPstates_t, "pstate", NVML_PSTATE_0)
ANSWER_NUMBER(nvmlDeviceGetPowerState, nvmlPstates_t, "pstate", NVML_PSTATE_0)
ANSWER_NUMBER(nvmlDeviceGetPersistenceMode, nvmlEnableState_t, "persistence", NVML_FEATURE_ENABLED)
ANSWER_NUMBER(nvmlDeviceGetComputeMode, nvmlComputeMode_t, "compute_mode", NVML_COMPUTEMODE_DEFAULT)
ANSWER_NUMBER(nvmlDeviceGetDisplayMode, nvmlEnableState_t, "display_mode", NVML_FEATURE_ENABLED)
ANSWER_NUMBER(nvmlDeviceGetDisplayActive, nvmlEnableState_t, "display_active", NVML_FEATURE_DISABLED)
ANSWER_NUMBER(nvmlDeviceGetVirtualizationMode, nvmlGpuVirtualizationMode_t, "virtualization",
              NVML_GPU_VIRTUALIZATION_MODE_NONE)
ANSWER_NUMBER(nvmlDeviceGetMaxMigDeviceCount, unsigned int, "mig_devices", 0)

nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned int *least,
                                                          unsigned int *most)
{
    RETURN_ERROR_OF(device);
    *least = (unsigned int)device_number(device, "power_min_mw", 200000);
    *most = (unsigned int)device_number(device, "power_max_mw", 700000);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    RETURN_ERROR_OF(device);
    *current = (unsigned int)device_number(device, "mig", NVML_DEVICE_MIG_DISABLE);
    *pending = (unsigned int)device_number(device, "mig_pending", *current);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is)
{
    (void)device;
    *is = 0;
    return NVML_SUCCESS;
}

/* MHz of one clock: as it is now, or its most. */
static nvmlReturn_t clock_mhz(nvmlDevice_t device, nvmlClockType_t which, int most, unsigned int *mhz)
{
    static const struct {
        const char *name;
        number_t now, most;
    } clocks[NVML_CLOCK_COUNT] = {
        [NVML_CLOCK_GRAPHICS] = {"gr", 345, 1980},
        [NVML_CLOCK_SM] = {"sm", 345, 1980},
        [NVML_CLOCK_MEM] = {"mem", 2619, 2619},
        [NVML_CLOCK_VIDEO] = {"video", 765, 1545},
    };
    char key[32];

    if (which >= NVML_CLOCK_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(key, sizeof key, "clock_%s%s", most ? "max_" : "", clocks[which].name);
    *mhz = (unsigned int)device_number(device, key, most ? clocks[which].most : clocks[which].now);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t which, unsigned int *mhz)
{
    RETURN_ERROR_OF(device);
    return clock_mhz(device, which, 0, mhz);
}

nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t which, unsigned int *mhz)
{
    RETURN_ERROR_OF(device);
    return clock_mhz(device, which, 1, mhz);
}

nvmlReturn_t nvmlDeviceGetApplicationsClock(nvmlDevice_t device, nvmlClockType_t which, unsigned int *mhz)
{
    return nvmlDeviceGetMaxClockInfo(device, which, mhz);
}

nvmlReturn_t nvmlDeviceGetDefaultApplicationsClock(nvmlDevice_t device, nvmlClockType_t which, unsigned int *mhz)
{
    return nvmlDeviceGetMaxClockInfo(device, which, mhz);
}

nvmlReturn_t nvmlDeviceGetClock(nvmlDevice_t device, nvmlClockType_t which, nvmlClockId_t id, unsigned int *mhz)
{
    RETURN_ERROR_OF(device);
    return clock_mhz(device, which, id != NVML_CLOCK_ID_CURRENT, mhz);
}

/* Bits as in nvml.h: 0x1 idle, 0x4 software power cap, 0x8 hardware slowdown, 0x20 software thermal, 0x40 hardware
 * thermal, 0x80 power brake. */
ANSWER_NUMBER(nvmlDeviceGetCurrentClocksThrottleReasons, number_t, "throttle", nvmlClocksEventReasonGpuIdle)
ANSWER_NUMBER(nvmlDeviceGetCurrentClocksEventReasons, number_t, "throttle", nvmlClocksEventReasonGpuIdle)
ANSWER_NUMBER(nvmlDeviceGetSupportedClocksThrottleReasons, number_t, "throttle_supported", 0x1ff)
ANSWER_NUMBER(nvmlDeviceGetSupportedClocksEventReasons, number_t, "throttle_supported", 0x1ff)
