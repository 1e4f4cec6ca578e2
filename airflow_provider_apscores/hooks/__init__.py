"""Hooks: from Airflow connections to College Board, mailboxes, databases and SFTP servers.

* ``apscores.py`` is the hook; ``connection.py`` reads its connection, ``lookup.py`` finds connections of any type.
* ``polling.py`` polls for new reports. ``imap.py`` opens a mailbox, ``mailbox.py`` finds messages in it, and
  ``notification.py`` reads them.
* ``database.py`` opens a database, ``sftp.py`` an SFTP server, and ``paths.py`` any address that names a connection.
* ``metrics.py`` reports metrics of campuses.
* ``exceptions.py`` maps this package's errors to what Airflow does with a task.
"""
