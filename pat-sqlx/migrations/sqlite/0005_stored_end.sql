-- Something that only MariaDB needs; the databases have the same numbers.
SELECT 1;
