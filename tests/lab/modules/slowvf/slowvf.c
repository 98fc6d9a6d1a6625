// SPDX-License-Identifier: GPL-2.0
/*
 * slowvf: a driver for tests, that takes its time with each VF, as drivers of real cards do (0.3 s and more).
 *
 * It binds the VFs of an emulated 82576, and by driver_override any other, waits, and makes a netdev that drops what it is
 * given: a VF without one would count as in use. Unbinding takes no time. Parameters are read at each probe: change them in /sys/module/slowvf/parameters while it is loaded.
 *
 * The kernel log has a line at the beginning and one at the end of each probe, so that their order, and whether some
 * overlap, is known without a clock.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/string.h>

static unsigned int probe_ms = 300;
module_param(probe_ms, uint, 0644);
MODULE_PARM_DESC(probe_ms, "milliseconds that each probe takes");

static char refuse[32];
module_param_string(refuse, refuse, sizeof(refuse), 0644);
MODULE_PARM_DESC(refuse, "VFs whose probe fails: an address, as 0000:01:10.0, or the beginning of some; none when empty");

static int refuse_errno = EIO;
module_param(refuse_errno, int, 0644);
MODULE_PARM_DESC(refuse_errno, "the error number of that failure, as 5");

static char hang[32];
module_param_string(hang, hang, sizeof(hang), 0644);
MODULE_PARM_DESC(hang, "VFs, as in refuse, whose probe does not end before they are no longer named; no signal ends it");

static bool is_named(const char *parameter, struct pci_dev *vf)
{
	size_t length = strcspn(parameter, "\n"); /* `echo` leaves one */

	return length && !strncmp(parameter, pci_name(vf), length);
}

static netdev_tx_t slowvf_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops slowvf_ops = {
	.ndo_start_xmit = slowvf_xmit,
	.ndo_set_mac_address = eth_mac_addr,
};

static int slowvf_make_netdev(struct pci_dev *vf)
{
	struct net_device *netdev = alloc_etherdev(0);
	int status;

	if (!netdev)
		return -ENOMEM;
	SET_NETDEV_DEV(netdev, &vf->dev);
	netdev->netdev_ops = &slowvf_ops;
	eth_hw_addr_random(netdev);
	pci_set_drvdata(vf, netdev);
	status = register_netdev(netdev);
	if (status)
		free_netdev(netdev);
	return status;
}

static int slowvf_probe(struct pci_dev *vf, const struct pci_device_id *id)
{
	int status;

	pr_info("slowvf %s: probe begins\n", pci_name(vf));
	msleep(probe_ms);
	while (is_named(hang, vf))
		msleep(20);
	status = is_named(refuse, vf) ? -refuse_errno : slowvf_make_netdev(vf);
	pr_info("slowvf %s: probe ends\n", pci_name(vf));
	return status;
}

static void slowvf_remove(struct pci_dev *vf)
{
	struct net_device *netdev = pci_get_drvdata(vf);

	unregister_netdev(netdev);
	free_netdev(netdev);
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
	.remove = slowvf_remove,
};
module_pci_driver(slowvf_driver);

MODULE_DESCRIPTION("A VF driver for tests, slow to probe");
MODULE_LICENSE("GPL");
