import pytest

from uml_core.storage import place
from uml_core.storage.trouble import Refused

MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /home rw,relatime shared:1 master:2 - nfs4 server:/home rw,vers=4.2
31 30 8:1 / /home/ann/local rw - xfs /dev/sda1 rw
32 22 0:41 / /mnt/two\040words rw - fuse.sshfs ann@server: rw
33 22 0:42 / /mnt/c rw - 9p C:\134 rw
34 22 0:43 / /data rw - cifs //server/data rw
35 22 0:44 / /data rw - ext4 /dev/sdb1 rw
36 22 0:45 / /homes rw - tmpfs tmpfs rw
37 22 0:46 / /mnt/enc rw - fuse.gocryptfs /crypt rw
""".lstrip()


@pytest.fixture
def mounts(tmp_path):
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("folder", "kind"), [("/home/ann/uml", "nfs4"), ("/mnt/two words/uml", "fuse.sshfs"), ("/mnt/c/uml", "9p")]
)
def test_no_database_across_a_network(tmp_path, mounts, folder, kind):
    with pytest.raises(Refused, match=rf"'{folder}' is on a network file system \({kind}\).*UML_DATA_DIR"):
        place.check(tmp_path / folder, mounts=mounts)


@pytest.mark.parametrize("folder", ["/srv/uml", "/home/ann/local/uml", "/data/uml", "/homes/uml", "/mnt/enc"])
def test_a_local_disk_is_fine_also_below_or_over_a_network(tmp_path, mounts, folder):
    place.check(tmp_path / folder, mounts=mounts)


def test_where_nothing_can_be_known_the_folder_is_believed(tmp_path):
    place.check(tmp_path, mounts=tmp_path / "none")


def test_this_machine(tmp_path):
    place.check(tmp_path)
