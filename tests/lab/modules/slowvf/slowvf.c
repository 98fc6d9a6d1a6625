// SPDX-License-Identifier: GPL-2.0
/*
 * slowvf: a driver for tests, that takes its time with each VF, as drivers of real cards do (0.3 s and more).
 *
 * It binds the VFs of an emulated 82576, and by driver_override any other, and does nothing with them but wait; unbinding
 * takes no time. Parameters are read at each probe: change them in /sys/module/slowvf/parameters while it is loaded.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/string.h>

static unsigned int probe_ms = 300;
module_param(probe_ms, uint, 0644);
MODULE_PARM_DESC(probe_ms, "milliseconds that each probe takes");

static char fail_slot[32];
module_param_string(fail_slot, fail_slot, sizeof(fail_slot), 0644);
MODULE_PARM_DESC(fail_slot, "address of the one VF whose probe fails, as 0000:01:10.0; none when empty");

static int fail_errno = EIO;
module_param(fail_errno, int, 0644);
MODULE_PARM_DESC(fail_errno, "the error number of that failure, as 5");

static int slowvf_probe(struct pci_dev *vf, const struct pci_device_id *id)
{
	msleep(probe_ms);
	/* sysfs_streq: `echo` leaves a newline in the parameter. */
	return sysfs_streq(fail_slot, pci_name(vf)) ? -fail_errno : 0;
}

/*
 * No MODULE_DEVICE_TABLE: with an alias udev would load slowvf for each new VF, and it would race igbvf to them. Thus
 * `modprobe slowvf` is what puts it to work.
 */
static const struct pci_device_id slowvf_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10ca) },
	{ }
};

static struct pci_driver slowvf_driver = {
	.name = "slowvf",
	.id_table = slowvf_ids,
	.probe = slowvf_probe,
};
module_pci_driver(slowvf_driver);

MODULE_DESCRIPTION("A VF driver for tests, slow to probe");
MODULE_LICENSE("GPL");
