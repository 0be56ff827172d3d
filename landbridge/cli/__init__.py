"""The command line `landbridge`.

    app         the commands, and how every run ends
    ending      exit statuses and the one sentence for an operator
    terminal    what may reach a terminal, refusal the picture of a refusal
    connection  where the gateway is and who asks
    query, explain, call, directory          questions
    formats, answer_page, receipt_file       what comes back
    log, token, init, servers                for operators and auditors
    up, demo, stopping, state_lock, by_hand  federations that run while the command does
    tour, tour_log, tour_page, unguarded     what the demo shows and holds against what it saw

Modules here import light things only at their top; client, rich and federation are imported where
a command needs them, so that help and mistakes cost nothing.
"""
