"""The window: what people see of a conversation. Qt lives here, on the main thread, and only here.

It knows the conversation by `ports.Assistant` alone, and waits for it nowhere.
"""
