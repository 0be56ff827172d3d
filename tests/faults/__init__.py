"""What fails around us: processes, disks, clocks and lines, and what must hold then."""
