"""Word control: whether class words and colour words change the fill as they should."""
