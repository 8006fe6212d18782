// Our own parser and expat side by side, over what is easily got wrong; tests/fuzz/xml_oracle_fuzz.cpp does it for
// random input.
#include <string>

#include <gtest/gtest.h>

#include "xml/test_support.h"
#include "xml/testing_expat.h"

namespace kith::xml {
namespace {

using oracle::disagreement;

TEST(Oracle, expat_reads_the_same_at_every_prefix) {
  for (const std::string_view stanzas : {
           "<a b='x\r\ny\tz&#13;&#10;\r' c=\"'&quot;\"> 1\r\n2\r3&#13;\n]] ]&gt; </a>\r\n<b/>",
           "<a><![CDATA[<b>&amp;]]]]><![CDATA[>]]]>\r\n\r]]</a>",
           "<p:a xmlns:p='urn:p' p:b='1' b='2'><c xmlns=''><d xmlns='u'/><p:e xmlns:p='v' xml:lang='de'/></c></p:a >",
           "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:b=''><xml:c/></a>",
           "<\xc3\xa4:\xe2\x84\xa6 xmlns:\xc3\xa4='u'>\xf0\x9f\x98\x80\xed\x9f\xbf\xef\xbf\xbd</\xc3\xa4:\xe2\x84\xa6>",
           "<a>&lt;&gt;&amp;&apos;&quot;&#x10FFFF;&#0065;</a></stream:stream> \n",
       }) {
    const std::string bytes = std::string(test_support::c2s_header) + std::string(stanzas);
    EXPECT_FALSE(oracle::told(bytes).error) << stanzas;
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      EXPECT_EQ(disagreement(std::string_view(bytes).substr(0, size)), std::nullopt) << stanzas << " until " << size;
    }
  }
}

TEST(Oracle, expat_refuses_the_same) {
  for (const std::string_view stanza : {"<a:/>",
                                        "<:a/>",
                                        "<a:b:c/>",
                                        "<p:a/>",
                                        "<a p:b=''/>",
                                        "<xmlns:a/>",
                                        "<a xmlns:p=''/>",
                                        "<a xmlns:='u'/>",
                                        "<a xmlns:xmlns='u'/>",
                                        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
                                        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
                                        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
                                        "<a xmlns:xml='u'/>",
                                        "<a xmlns='u' xmlns='u'/>",
                                        "<a xmlns:p='u' xmlns:p='v'/>",
                                        "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>",
                                        "<a b='' c='' b=''/>",
                                        "<a b=''c=''/>",
                                        "<a b/>",
                                        "<a b='/>",
                                        "<a>]]></a>",
                                        "<a>]]]></a>",
                                        "<a b=']]>'/>",
                                        "<a></a:a>",
                                        "<a></a b>",
                                        "</ a>",
                                        "<a></>",
                                        "<a>&#;</a>",
                                        "<a>&#x;</a>",
                                        "<a>&#X41;</a>",
                                        "<a>&#4a;</a>",
                                        "<a>&a:b;</a>",
                                        "<a>&-a;</a>",
                                        "<a>&LT;</a>",
                                        "<a>&lt</a>",
                                        "<a b='&lt'/>",
                                        "<a b='&#xfffe;'/>",
                                        "<a>\xef\xbf\xbe</a>",
                                        "<a>\x0c</a>",
                                        "<a>\x7f</a>",
                                        "<a b='\x1f'/>",
                                        "<a>\xc1\xbf</a>",
                                        "<\xe0\xb8\x80/>",
                                        "<a \xcc\x80=''/>",
                                        "<a\xcc\x80/>",
                                        "<a>\xf0\x8f\xbf\xbf</a>",
                                        "&#32;",
                                        "<![CDATA[]]>",
                                        "<a><![CDATA[\x01]]></a>",
                                        "<a b = \"c\"\n/>",
                                        "<a b\t=\r'c'></a\n>",
                                        "<-a/>",
                                        "<a.b-c_1/>"}) {
    EXPECT_EQ(disagreement(std::string(test_support::c2s_header) + std::string(stanza)), std::nullopt) << stanza;
  }
}

TEST(Oracle, sees_a_difference) {
  // Had our parser a fault, this is how it would be told: comments are refused by both only because the oracle says so.
  oracle::ExpatStream stream;
  stream.give("<a><b>x</b>");
  EXPECT_EQ(stream.lines().size(), 2U);
  EXPECT_TRUE(oracle::expat_can_go_on("<a><b>x", 1));
  EXPECT_FALSE(oracle::expat_can_go_on("<a></b", 1));
}

}  // namespace
}  // namespace kith::xml
